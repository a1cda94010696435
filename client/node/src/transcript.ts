/** The text of fields, put together from tokens: text = text[:offset] + chunk, in code points. */

import type { Token } from "./gen/headrace/v1/headrace.js";

/** The text of one field of one predictor call so far. A reader that came late holds it from its first token on. */
export class FieldText {
  /** Code points held. */
  length = 0;
  private start = 0;
  private chunks: string[] = []; // joined only when asked for: appending must not copy the text

  constructor(readonly callId = 0) {}

  get text(): string {
    if (this.chunks.length > 1) {
      this.chunks = [this.chunks.join("")];
    }

    return this.chunks[0] ?? "";
  }

  apply(offset: number, chunk: string): void {
    if (this.length === 0) {
      this.start = offset;
    }

    const keep = Math.max(offset - this.start, 0);

    if (keep < this.length) {
      this.chunks = [[...this.text].slice(0, keep).join("")];
      this.start = Math.min(this.start, offset);
      this.length = keep;
    }

    this.chunks.push(chunk);
    this.length += codePoints(chunk);
  }

  /** The text behind the first `position` code points held. */
  since(position: number): string {
    let first = this.chunks.length;
    let start = this.length;

    while (start > position) {
      first -= 1;
      start -= codePoints(this.chunks[first]!);
    }

    const late = this.chunks.slice(first).join("");

    return start < position ? [...late].slice(position - start).join("") : late;
  }
}

/** All texts of a run. */
export class Transcript {
  private readonly byCall = new Map<string, FieldText>();
  /** By selector, in the order in which they began. */
  private readonly bySelector = new Map<string, FieldText[]>();

  apply({ predictor, field, callId, offset, chunk }: Token): void {
    const selector = `${predictor}.${field}`;
    const call = `${selector}#${callId}`;
    let text = this.byCall.get(call);

    if (!text) {
      text = new FieldText(callId);
      this.byCall.set(call, text);
      this.append(selector, text);
      this.append(field, text);
    }

    text.apply(offset, chunk);
  }

  /** The texts of `field` or `predictor.field`, in the order in which they began; the list grows. */
  matching(selector: string): readonly FieldText[] {
    return this.list(onTheWire(selector));
  }

  /** The text of the latest call of a field, or of the call given; empty before it began. */
  text(selector: string, callId?: number): string {
    return this.matching(selector).findLast((text) => callId === undefined || text.callId === callId)?.text ?? "";
  }

  private append(selector: string, text: FieldText): void {
    this.list(selector).push(text);
  }

  private list(selector: string): FieldText[] {
    let texts = this.bySelector.get(selector);

    if (!texts) {
      texts = [];
      this.bySelector.set(selector, texts);
    }

    return texts;
  }
}

/** A selector as events name it: without the `.predict` that ChainOfThought adds to a predictor. */
function onTheWire(selector: string): string {
  return selector.replace(/\.predict(\.[^.]*)$/, "$1");
}

function codePoints(text: string): number {
  let count = 0;

  for (let i = 0; i < text.length; i++) {
    const isSecondHalf = (text.charCodeAt(i) & 0xfc00) === 0xdc00;
    count += isSecondHalf ? 0 : 1;
  }

  return count;
}
