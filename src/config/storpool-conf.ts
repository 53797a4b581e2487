import { parse } from 'ini';
import { SPConfigError } from './sp-config-error.js';

/** The settings of one file: those before any section, and those of each section. */
export interface StorPoolConf {
  file: string;
  common: ReadonlyMap<string, string>;
  sections: ReadonlyMap<string, ReadonlyMap<string, string>>;
}

/** What Python takes for blanks. JavaScript's `\s` adds U+FEFF, and lacks U+001C to U+001F and U+0085. */
const BLANK = '\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const BLANKS = `[${BLANK}]*`;
const BLANK_OR_COMMENT = new RegExp(`^${BLANKS}(?:[#;].*)?$`, 'su');
const SECTION = new RegExp(`^${BLANKS}\\[([^\\]]+)\\]${BLANKS}$`, 'su');
const TRIMMED = `${BLANKS}(|.*[^${BLANK}])${BLANKS}`;
const SECTION_NAME = new RegExp(`^${TRIMMED}$`, 'su');
const SETTING = new RegExp(`^${BLANKS}([^${BLANK}=]+)${BLANKS}=${TRIMMED}$`, 'su');

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
    const section = SECTION.exec(line)?.[1];
    if (section !== undefined) {
      // Of nothing but blanks, the last one is the name, as in the reference.
      out.push(`[${encode('@', SECTION_NAME.exec(section)?.[1] || section.slice(-1))}]`);
      continue;
    }
    const [, name, first] = SETTING.exec(withoutBackslash(line)) ?? [];
    if (name === undefined || first === undefined) {
      throw new SPConfigError(
        `${file}, line ${at + 1}: expected a comment, a [section] or a "name = value" setting; correct or remove it`,
        { file, line: at + 1 },
      );
    }
    let value = first;
    while (lines[at]?.endsWith('\\')) value += withoutBackslash(lines[++at] ?? '');
    // A value that is never completed is dropped, as in the reference.
    if (at < lines.length) out.push(`${encode(':', name)}=${encode(':', value)}`);
  }
  return out.join('\n');
}

/** The backslash at the very end of a line says that the line goes on in the next one. */
const withoutBackslash = (line: string) => (line.endsWith('\\') ? line.slice(0, -1) : line);
