import { parse } from 'ini';
import { SPConfigError } from './sp-config-error.js';

/** The settings of one file: those before any section, and those of each section. */
export interface StorPoolConf {
  file: string;
  common: ReadonlyMap<string, string>;
  sections: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

const BLANK_OR_COMMENT = /^\s*(?:[#;].*)?$/su;
const SECTION = /^\s*\[([^\]]+)\]\s*$/su;
const SETTING = /^\s*([^\s=]+)\s*=\s*(.*)$/su;

/**
 * `ini` gives a meaning to quotes, escapes, `#`, `;`, `[]`, dots, `true`, `null` and `__proto__`;
 * storpool.conf gives none. Percent-encoded after a sigil, `ini` finds none of them, and a
 * section can never collide with a setting of the same name.
 */
const encode = (sigil: ':' | '@', text: string) => sigil + encodeURIComponent(text).replaceAll('.', '%2E');
const decode = (text: string) => decodeURIComponent(text.slice(1));

const decodeSettings = (settings: object) =>
  new Map(Object.entries(settings).map(([name, value]) => [decode(name), decode(String(value))]));

/**
 * Parses the content of one storpool.conf file.
 *
 * @param file - named in errors
 * @throws {@link SPConfigError} with `file` and `line` for a line that is not blank, a comment, a
 * `[section]` or `name = value`.
 */
export function parseStorPoolConf(text: string, file: string): StorPoolConf {
  const common = new Map<string, string>();
  const sections = new Map<string, Map<string, string>>();
  for (const [name, content] of Object.entries(parse(toIni(text, file)))) {
    if (name.startsWith('@')) sections.set(decode(name), decodeSettings(content));
    else common.set(decode(name), decode(content));
  }
  return { file, common, sections };
}

function toIni(text: string, file: string): string {
  const lines = text.split(/\r\n|\n|\r/u);
  // The newline at the end of the last line leaves an empty string, which is not a line.
  if (lines.at(-1) === '') lines.pop();
  const out: string[] = [];
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] as string;
    if (BLANK_OR_COMMENT.test(line)) continue;
    const section = SECTION.exec(line)?.[1]?.trim();
    if (section !== undefined) {
      out.push(`[${encode('@', section)}]`);
      continue;
    }
    const [, name, first] = SETTING.exec(line) ?? [];
    if (name === undefined || first === undefined) {
      throw new SPConfigError(
        `${file}, line ${at + 1}: expected a comment, a [section] or a "name = value" setting; correct or remove it`,
        { file, line: at + 1 },
      );
    }
    const begin = at;
    while (lines[at]?.endsWith('\\')) at++;
    // A value that is never completed is dropped, as in the reference.
    if (at === lines.length) break;
    const parts = [first, ...lines.slice(begin + 1, at + 1)];
    out.push(`${encode(':', name)}=${encode(':', joined(parts))}`);
  }
  return out.join('\n');
}

/** Every part but the last ends in the backslash that continues it. Blanks after the first part do not count. */
function joined(parts: readonly string[]): string {
  const [first = '', ...rest] = parts.map((part, at) => (at < parts.length - 1 ? part.slice(0, -1) : part));
  return first.trimEnd() + rest.join('');
}
