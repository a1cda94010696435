// JSON Schemas, as far as forms need them.

/** A schema with what it points to. `T | null` is T that is `nullable`, one value a choice of one. */
export function plain(schema, definitions = {}) {
  const { $ref, anyOf, ...own } = schema;
  const pointed = definitions[$ref?.replace("#/$defs/", "")];

  if (pointed) return plain({ ...pointed, ...own }, definitions);

  const choices = (anyOf ?? []).filter((one) => one.type !== "null");

  if (choices.length === 1) {
    return plain({ ...choices[0], ...own, nullable: anyOf.length > 1 }, definitions);
  }

  return "const" in schema ? { ...schema, enum: [schema.const] } : schema;
}
