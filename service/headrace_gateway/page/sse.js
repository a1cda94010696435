// Server-Sent Events out of bytes, as browsers read them: lines, an id that stays, data that ends at a
// blank line. Comments are passed over.

/** The events of a response body, as `{id, data}`. Ends with the body; throws what reading throws. */
export async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new Parser();

  try {
    for (;;) {
      const { value, done } = await reader.read();

      if (done) return;

      yield* parser.feed(value);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/** Takes text in any pieces, and gives the events that are whole. */
export class Parser {
  #rest = "";
  #id = "";
  #data = [];

  *feed(text) {
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop();

    for (const line of lines) {
      if (line) {
        this.#take(line);
      } else if (this.#data.length) {
        yield { id: this.#id, data: this.#data.join("\n") };
        this.#data = [];
      }
    }
  }

  #take(line) {
    const [, name, value = ""] = /^([^:]*)(?:: ?(.*))?$/s.exec(line);

    if (name === "data") this.#data.push(value);
    if (name === "id") this.#id = value;
  }
}
