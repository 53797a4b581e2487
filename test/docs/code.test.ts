// The code of the pages and the tests of the types, in one program: what they load is most of the work.
import { resolve } from 'node:path';
import ts from 'typescript';
import { beforeAll, expect, test } from 'vitest';
import { CONTEXT, OPENTELEMETRY } from './context.js';
import { codeOf, PACKED, read } from './pages.js';

/** Each block as a module of its own, by a name that says where it stands. */
function blocks(page: string): [name: string, code: string][] {
  return codeOf(page).map(({ code, line }) => [resolve(`${page}-line-${line}.mjs`), `${code}\nexport {};\n`]);
}

function check(files: ReadonlyMap<string, string>): string[] {
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [] }, ts.sys, '.');
  const paths = {
    'storpool-spopenstack': [resolve('src/index.ts')],
    'storpool-spopenstack/testing': [resolve('src/testing/index.ts')],
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, getSourceFile, readFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name) ?? readFile(name);
  host.getSourceFile = (name, ...rest) => {
    const code = files.get(name);
    return code === undefined
      ? getSourceFile(name, ...rest)
      : ts.createSourceFile(name, code, ts.ScriptTarget.ES2023);
  };
  const program = ts.createProgram(
    [...files.keys()],
    // The pages are in JavaScript, and say nothing of types.
    { ...options, paths, skipLibCheck: true, checkJs: true, noImplicitAny: false, ...UNUSED },
    host,
  );
  return [
    ...program.getOptionsDiagnostics(),
    ...[...files.keys()].flatMap((name) => checkFile(program, name)),
  ].map(({ file, start, messageText }) => {
    const line = file === undefined ? '' : file.getLineAndCharacterOfPosition(start ?? 0).line + 1;
    return `${file?.fileName} (${line}): ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

const UNUSED = { noUnusedLocals: false, noUnusedParameters: false };

function checkFile(program: ts.Program, name: string): readonly ts.Diagnostic[] {
  const file = program.getSourceFile(name);
  return [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)];
}

const code = PACKED.flatMap(blocks);
const typeTests = resolve('test/types.test-d.ts');
const example = resolve('examples/opentelemetry.mjs');
const wrong: [string, string] = [resolve('wrong.mjs'), "db.attach('r1', { volume: 1 });\nexport {};\n"];
let errors: string[];

beforeAll(() => {
  const declarations: [string, string][] = [
    [resolve('context.d.ts'), CONTEXT],
    [resolve('opentelemetry.d.ts'), OPENTELEMETRY],
  ];
  errors = check(
    new Map([...declarations, ...code, [example, read(example)], [typeTests, read(typeTests)], wrong]),
  );
}, 120_000);

const errorsIn = (file: string) => errors.filter((error) => error.startsWith(`${file} `));

test('every block of code type-checks', () => {
  expect(code.length).toBeGreaterThan(10);
  for (const page of PACKED) expect(read(page)).not.toMatch(/^```ts/mu);
  expect(errors.filter((error) => !error.startsWith(wrong[0]) && !error.startsWith(typeTests))).toEqual([]);
});

test('what types.test-d.ts expects is so', () => {
  expect(errorsIn(typeTests)).toEqual([]);
});

test('what is wrong is found', () => {
  expect(errorsIn(wrong[0])).toHaveLength(1);
});
