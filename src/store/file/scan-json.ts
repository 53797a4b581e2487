/** How much of a string is JSON. */
export interface Scan {
  /** `torn`: it ends before its JSON does. `wrong`: nothing added to it could make it JSON. */
  state: 'whole' | 'torn' | 'wrong';
  /** Where it stops being JSON; its length if it does not. */
  at: number;
  /** The end of the last entry of the outermost object that is certainly whole; 0 without one. */
  entriesEnd: number;
}

const ESCAPE = String.raw`\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})`;
/** All characters from the space on, except the quote and the backslash. */
const PLAIN = String.raw`[ !#-[\]-\uffff]*`;
const STRING_START = `"${PLAIN}(?:${ESCAPE}${PLAIN})*`;
const INTEGER = '-?(?:0|[1-9][0-9]*)';

const WHITE_SPACE = /[ \t\n\r]*/y;
const PUNCTUATION = /[{}[\],:]/y;
const STRING = new RegExp(`${STRING_START}"`, 'y');
const SCALAR = new RegExp(`${INTEGER}(?:\\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null`, 'y');
/** The beginning of a string, number or word that the end of the input cuts off. */
const CUT_STRING = new RegExp(String.raw`${STRING_START}(?:\\(?:u[0-9a-fA-F]{0,3})?)?$`, 'y');
const CUT_SCALAR = new RegExp(
  String.raw`(?:-|${INTEGER}(?:\.|(?:\.[0-9]+)?[eE][+-]?)|t|tr|tru|f|fa|fal|fals|n|nu|nul)$`,
  'y',
);

/** A cut number may have so many characters behind what would be a number by itself. */
const CUT = 3;

/** Reads a string as JSON, as far as possible. Unlike an error of `JSON.parse()`, the result tells torn from wrong. */
export function scanJson(input: string): Scan {
  const open: string[] = [];
  let expected: 'value' | 'firstValue' | 'key' | 'firstKey' | ':' | ',' | 'end' = 'value';
  let at = 0;
  let entriesEnd = 0;
  const endOf = (pattern: RegExp) => {
    pattern.lastIndex = at;
    return pattern.test(input) ? pattern.lastIndex : undefined;
  };
  for (;;) {
    at = endOf(WHITE_SPACE) ?? at;
    if (at === input.length) return { state: expected === 'end' ? 'whole' : 'torn', at, entriesEnd };
    const char = input[at] ?? '';
    const takesValue = expected === 'value' || expected === 'firstValue';
    const takesKey = expected === 'key' || expected === 'firstKey';
    const isEntryOver = open.length === 1 && open[0] === '{' && (char === ',' || char === '}');

    let end: number | undefined;
    if (char === '"' && (takesKey || takesValue)) end = endOf(STRING);
    else if (takesValue && !'{}[],:'.includes(char)) end = endOf(SCALAR);
    else end = endOf(PUNCTUATION);
    // Only what is at the end can be cut off; of a number, as in 1.5e+, the part before that is a token of its own.
    const isCut =
      (end ?? input.length) > input.length - CUT &&
      ((takesValue && endOf(CUT_SCALAR)) || ((takesKey || takesValue) && endOf(CUT_STRING)));
    if (isCut) return { state: 'torn', at, entriesEnd };
    if (end === undefined) return { state: 'wrong', at, entriesEnd };

    const isClosing =
      (char === '}' && open.at(-1) === '{' && (expected === ',' || expected === 'firstKey')) ||
      (char === ']' && open.at(-1) === '[' && (expected === ',' || expected === 'firstValue'));
    if (isEntryOver && expected === ',') entriesEnd = at;
    if (isClosing) {
      open.pop();
      expected = open.length === 0 ? 'end' : ',';
    } else if (takesValue && (char === '{' || char === '[')) {
      open.push(char);
      expected = char === '{' ? 'firstKey' : 'firstValue';
    } else if (takesValue && !'}],:'.includes(char)) {
      expected = open.length === 0 ? 'end' : ',';
    } else if (takesKey && char === '"') {
      expected = ':';
    } else if (char === expected) {
      expected = char === ':' || open.at(-1) === '[' ? 'value' : 'key';
    } else {
      return { state: 'wrong', at, entriesEnd };
    }
    at = end;
  }
}
