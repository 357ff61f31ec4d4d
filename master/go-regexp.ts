/** Escapes that mean the same in Go and in JavaScript. */
const commonEscapes = /^[dDwWsSbBntrfv]$/;

/**
 * A regular expression in Go's spelling (RE2), as Termite 1 took them, as a JavaScript one: flags in front (`(?s)`,
 * `(?i)`, `(?m)`), named groups `(?P<name>…)`, `\A` and `\z`, and escaped punctuation.
 *
 * @throws SyntaxError for what is malformed, and for what Go knows and JavaScript does not
 */
export function goRegExp(source: string): RegExp {
  const leading = /^\(\?([ims]+)\)/.exec(source);
  const flags = new Set(leading?.[1] ?? '');
  const body = source.slice(leading?.[0].length ?? 0);
  return new RegExp(translate(body), [...flags].join(''));
}

function translate(body: string): string {
  let result = '';
  let isInClass = false;
  for (let i = 0; i < body.length; i++) {
    const c = body[i]!;
    const next = body[i + 1] ?? '';
    if (c === '\\') {
      i += 1;
      if (next === 'A' && !isInClass) result += '(?<![\\s\\S])';
      else if (next === 'z' && !isInClass) result += '(?![\\s\\S])';
      else if (/[A-Za-z0-9]/.test(next) && !commonEscapes.test(next))
        throw new SyntaxError(`\\${next} is not supported`);
      else result += c + next;
    } else if (isInClass) {
      if (c === '[' && next === ':') throw new SyntaxError('[:classes:] are not supported');
      isInClass = c !== ']';
      result += c === '[' ? '\\[' : c;
    } else if (c === '[') {
      isInClass = true;
      result += c;
      // A bracket that comes first in a class is a member of it.
      if (next === '^') result += body[++i];
      if (body[i + 1] === ']') {
        result += '\\]';
        i += 1;
      }
    } else if (body.startsWith('(?P<', i)) {
      result += '(?<';
      i += 3;
    } else if (/^\(\?[a-zA-Z-]+[:)]/.test(body.slice(i))) {
      throw new SyntaxError('flags are supported only at the beginning');
    } else {
      result += c;
    }
  }
  return result;
}
