// The text of fields, put together from tokens. The one rule: text = text[:offset] + chunk, in code
// points. It covers plain growth, tokens that come again after a reconnect, and a field that starts over.

export class FieldText {
  text = "";
  isComplete = false;
  #length = 0; // in code points; a string's own length counts UTF-16 units

  /** Takes a chunk in, at an offset. */
  apply(offset, chunk, isLast) {
    if (offset < this.#length) {
      this.text = Array.from(this.text).slice(0, offset).join("");
      this.#length = offset;
    }

    this.text += chunk;
    this.#length += lengthOf(chunk);
    this.isComplete = isLast;
  }
}

/** All texts of a run, by call and field, in the order in which they began. */
export class Transcript {
  #texts = new Map();

  /** Takes a token in and gives the text that it belongs to. */
  apply(token) {
    const key = `${token.call_id} ${token.field}`;
    let text = this.#texts.get(key);

    if (!text) {
      text = new FieldText();
      this.#texts.set(key, text);
    }

    text.apply(token.offset, token.chunk, token.is_last);

    return text;
  }
}

function lengthOf(text) {
  let length = 0;

  for (const _ of text) length += 1;

  return length;
}
