/** The text of fields, put together from tokens: text = text[:offset] + chunk, in code points. */

import type { Token } from "./gen/headrace/v1/headrace.js";

/** The text of one field of one predictor call so far. A reader that came late holds it from its first token on. */
export class FieldText {
  text = "";
  private start = 0;
  private length = 0;

  apply(offset: number, chunk: string): void {
    if (this.length === 0) {
      this.start = offset;
    }

    const keep = Math.max(offset - this.start, 0);

    if (keep < this.length) {
      this.text = [...this.text].slice(0, keep).join("");
      this.start = Math.min(this.start, offset);
      this.length = keep;
    }

    this.text += chunk;
    this.length += codePoints(chunk);
  }
}

/** All texts of a run. */
export class Transcript {
  private readonly texts = new Map<string, FieldText>();
  private readonly latest = new Map<string, FieldText>();

  apply(token: Token): void {
    const field = key(token.predictor, token.field);
    const call = `${field}#${token.callId}`;
    let text = this.texts.get(call);

    if (!text) {
      text = new FieldText();
      this.texts.set(call, text);
      this.latest.set(field, text);
    }

    text.apply(token.offset, token.chunk);
  }

  /** The text of a field's latest call; empty before it began. */
  text(predictor: string, field: string): string {
    return this.latest.get(key(predictor, field))?.text ?? "";
  }
}

function key(predictor: string, field: string): string {
  return `${predictor}.${field}`;
}

function codePoints(text: string): number {
  let count = 0;

  for (let i = 0; i < text.length; i++) {
    const isSecondHalf = (text.charCodeAt(i) & 0xfc00) === 0xdc00;
    count += isSecondHalf ? 0 : 1;
  }

  return count;
}
