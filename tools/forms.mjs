// How functions may be called, by their types as bindings/signature.ts has them.

/**
 * The forms in which a function may be called, each by parameters and result, out of its type: a function type, a
 * literal of several, Callable<required, positions, options, result, names>, or a type of the file that is one of
 * these.
 */
export function formsOf(type, source) {
  const { text, body } = source;
  const textOf = (node) => text.slice(node.start, node.end);
  if (type.type === 'TSFunctionType')
    return [
      {
        params: type.params,
        result: textOf(type.returnType).replace(/^=>/, ':'),
        types: [type.params.slice(1), type.returnType],
      },
    ];
  if (type.type === 'TSTypeLiteral')
    return type.members.map((member) => ({
      params: member.params,
      result: textOf(member.returnType),
      types: [member.params.slice(1), member.returnType],
      member,
    }));
  const alias = body
    .map(({ declaration, ...node }) => declaration ?? node)
    .find(({ id }) => id?.name === type.typeName.name);
  if (type.typeName.name !== 'Callable') {
    if (!alias) throw new Error(`${source.file}: expected a type of this file, got ${textOf(type)}`);
    return formsOf(alias.typeAnnotation, source);
  }
  const [required, positions, options, result, names] = type.typeArguments.params;
  const items = ({ elementTypes }, mark) =>
    elementTypes.map((item) => `${item.label.name}${mark}: ${textOf(item.elementType)}`);
  const first = items(required, '');
  const form = (...params) => ({
    params: [...first, ...params],
    result: `: ${textOf(result)}`,
    types: [required.elementTypes.slice(1), positions, options, result],
  });
  const byName = (count) => ({
    ...form(),
    params: [...first.slice(0, count), `options: ${textOf(options)} & { ${first.slice(count).join('; ')} }`],
  });
  const named = `options?: ${textOf(options)}`;
  const each = items(positions, '');
  return [
    form(named),
    ...(each.length > 0 ? [form(...items(positions, '?'))] : []),
    ...(names ? first.slice(1).map((_, i) => byName(i + 1)) : []),
    ...each.map((_, i) => form(...each.slice(0, i + 1).map((item) => `${item} | undefined`), named)),
  ];
}
