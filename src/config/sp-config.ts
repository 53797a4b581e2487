import { lstatSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { debugOutput } from '../observe/debug.js';
import { problemOfOptions } from '../options/known-options.js';
import { DEFAULTS } from './defaults.js';
import { SPConfigError } from './sp-config-error.js';
import { parseStorPoolConf, type StorPoolConf } from './storpool-conf.js';

const debug = debugOutput('storpool:config');

const SECRET = 'SP_AUTH_TOKEN';
const OVERRIDE = 'overrideConfig';
const ENV_OVERRIDES = [SECRET, 'SP_API_HTTP_HOST', 'SP_API_HTTP_PORT'] as const;

/** Where {@link SPConfig} looks for the settings. All options are optional. */
export interface SPConfigOptions {
  /** The section of the files that applies to this host. Default: the host name, as `uname -n` prints it. */
  section?: string | undefined;
  /** Whether the main file may be missing. Whatever is no regular file is then skipped. Default: `false`. */
  missingOk?: boolean | undefined;
  /**
   * Whether `SP_AUTH_TOKEN`, `SP_API_HTTP_HOST` and `SP_API_HTTP_PORT` of the environment override the files.
   * Default: `true`.
   */
  useEnv?: boolean | undefined;
  /** The environment. Default: `process.env`. */
  env?: Readonly<Record<string, string | undefined>> | undefined;
  /** The main file. Default: `/etc/storpool.conf`. */
  file?: string | undefined;
  /** The directory of further files, `*.conf`, if there is one. Default: the path of the main file and `.d`. */
  dir?: string | undefined;
  /**
   * The settings themselves. If given, files, defaults, environment variables and the other options are
   * ignored. Values must be strings: a token given as a number would lose digits.
   */
  overrideConfig?: Readonly<Record<string, string>> | undefined;
}

/**
 * The StorPool settings of this host, read once by the constructor and never changed.
 *
 * Iteration yields `[name, value]` pairs, so `new Map(config)` and `Object.fromEntries(config)` work. The
 * authentication token is one of them, but `util.inspect`, `console.log` and `JSON.stringify` hide it.
 *
 * Reference: `storpool.spconfig.SPConfig`.
 */
export class SPConfig {
  readonly #settings: ReadonlyMap<string, Setting>;
  readonly #source: string;

  /** @throws {@link SPConfigError} when a file cannot be read or parsed, or a given value is not a string. */
  constructor(options: SPConfigOptions = {}) {
    checkOptions(options);
    const { overrideConfig } = options;
    this.#source = overrideConfig === undefined ? mainFile(options) : OVERRIDE;
    this.#settings = overrideConfig === undefined ? readSettings(options) : copyOverrides(overrideConfig);
    debug('%d settings from %s', this.#settings.size, this.#source);
  }

  /**
   * The names of the sections in the configuration files, sorted.
   *
   * Reference: `SPConfig.get_all_sections()`.
   */
  static sections(options: SPConfigOptions = {}): string[] {
    checkOptions(options);
    const names = readFiles(options).flatMap(({ sections }) => [...sections.keys()]);
    return [...new Set(names)].sort();
  }

  /**
   * The value of a setting; if it is not set, the fallback or `undefined`.
   *
   * Reference: `cfg.get(key)`, `cfg.get(key, default)`.
   */
  get(key: string): string | undefined;
  get<T>(key: string, fallback: T): string | T;
  get<T>(key: string, fallback?: T): string | T | undefined {
    return this.#settings.get(key)?.value ?? fallback;
  }

  /**
   * The value of a setting that must be set.
   *
   * Reference: `cfg[key]`.
   *
   * @throws {@link SPConfigError} naming the setting.
   */
  require(key: string): string {
    const setting = this.#settings.get(key);
    if (setting === undefined) throw new SPConfigError(`${key} is not set: add it to ${this.source}`);
    return setting.value;
  }

  /** Where the settings come from: the path of the main file, or `overrideConfig`. */
  get source(): string {
    return this.#source;
  }

  /**
   * Where one setting comes from: the path of a file, `environment`, `default` or `overrideConfig`; `undefined` when it
   * is not set.
   */
  origin(key: string): string | undefined {
    return this.#settings.get(key)?.origin;
  }

  /** Whether the setting has a value, even an empty one. */
  has(key: string): boolean {
    return this.#settings.has(key);
  }

  /** The names of all settings. */
  keys(): IterableIterator<string> {
    return this.#settings.keys();
  }

  /** All settings as `[name, value]` pairs. */
  *entries(): IterableIterator<[string, string]> {
    for (const [key, { value }] of this.#settings) yield [key, value];
  }

  /** The same as {@link entries}. */
  [Symbol.iterator](): IterableIterator<[string, string]> {
    return this.entries();
  }

  /** All settings with the token hidden. */
  toJSON(): Record<string, string> {
    return Object.fromEntries([...this].map(([key, value]) => [key, key === SECRET ? '[hidden]' : value]));
  }

  /** For `console.log` and `util.inspect`, with the token hidden. */
  [inspect.custom](): string {
    return `SPConfig ${inspect(this.toJSON())}`;
  }
}

const OPTIONS: readonly (keyof SPConfigOptions)[] = [
  'section',
  'missingOk',
  'useEnv',
  'env',
  'file',
  'dir',
  OVERRIDE,
];

/** @throws {@link SPConfigError} that lists the options there are. */
function checkOptions(options: SPConfigOptions): void {
  const problem = problemOfOptions('SPConfig', options, OPTIONS);
  if (problem !== undefined) throw new SPConfigError(problem);
}

/** A value and its {@link SPConfig.origin}. */
interface Setting {
  value: string;
  origin: string;
}

function copyOverrides(overrides: Readonly<Record<string, unknown>>): Map<string, Setting> {
  if (typeof overrides !== 'object' || overrides === null || Array.isArray(overrides)) {
    throw new SPConfigError('overrideConfig must be an object with the names and values of the settings');
  }
  const settings = new Map<string, Setting>();
  for (const [key, value] of Object.entries(overrides)) {
    if (typeof value !== 'string') {
      throw new SPConfigError(
        `${OVERRIDE}: ${key} is of type ${typeof value}, not a string: put its value in quotes`,
      );
    }
    settings.set(key, { value, origin: OVERRIDE });
  }
  return settings;
}

function readSettings(options: SPConfigOptions): Map<string, Setting> {
  const { section = hostname(), useEnv = true, env = process.env } = options;
  const settings = new Map<string, Setting>();
  const set = (values: Iterable<[string, string]>, origin: string) => {
    for (const [key, value] of values) settings.set(key, { value, origin });
  };
  set(Object.entries(DEFAULTS), 'default');
  for (const { file, common, sections } of readFiles(options)) {
    set(common, file);
    set(sections.get(section) ?? [], file);
  }
  for (const key of useEnv ? ENV_OVERRIDES : []) {
    const value = env[key];
    if (value !== undefined) set([[key, value]], 'environment');
  }
  return settings;
}

const mainFile = ({ file = '/etc/storpool.conf' }: SPConfigOptions) => file;

function readFiles(options: SPConfigOptions): StorPoolConf[] {
  const main = mainFile(options);
  const { missingOk = false } = options;
  const confs = [
    readConf(main, true, missingOk),
    ...listDir(options.dir ?? `${main}.d`).map((file) => readConf(file, false, missingOk)),
  ];
  return confs.filter((conf) => conf !== undefined);
}

function readConf(path: string | Buffer, isMain: boolean, missingOk: boolean): StorPoolConf | undefined {
  const file = path.toString();
  let bytes: Buffer;
  try {
    const stat = statSync(path);
    if (missingOk && !stat.isFile()) return undefined;
    // Opening it would block until somebody writes to it.
    if (stat.isFIFO()) throw new Error('it is a named pipe');
    bytes = readFileSync(path);
  } catch (error) {
    if (missingOk && leadsNowhere(error)) return undefined;
    throw new SPConfigError(cannotRead(path, error, isMain), { file, cause: error });
  }
  let text: string;
  try {
    // This drops a byte order mark, which the reference takes for a part of the first name.
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SPConfigError(`${file} is not valid UTF-8: save it in that encoding`, { file, cause });
  }
  debug('reading %s', file);
  return parseStorPoolConf(text, file);
}

function cannotRead(path: string | Buffer, error: unknown, isMain: boolean): string {
  if (codeOf(error) === 'ENOENT') {
    const isLink = lstatSync(path, { throwIfNoEntry: false }) !== undefined;
    const remedy = isMain && !isLink ? 'create it, or name another' : 'is it a broken link?';
    return `${path} does not exist: ${remedy}`;
  }
  const isPlace = codeOf(error) === 'EISDIR' || codeOf(error) === undefined;
  return `Cannot read ${path}: ${reason(error)}${isPlace ? '; put a regular file in its place' : ''}`;
}

/** The further files, in the order of the bytes of their names, which is that of code points. */
function listDir(dir: string): Buffer[] {
  try {
    // A name can be any bytes; as Latin-1, each of them is one character.
    return readdirSync(dir, 'latin1')
      .filter((name) => name.endsWith('.conf') && !name.startsWith('.'))
      .sort()
      .map((name) => Buffer.concat([Buffer.from(join(dir, '/')), Buffer.from(name, 'latin1')]));
  } catch (error) {
    if (leadsNowhere(error)) return [];
    throw new SPConfigError(`Cannot list ${dir}: ${reason(error)}`, { file: dir, cause: error });
  }
}

/** Whether nothing of the kind that was asked for can be there: nothing at all, a loop of links, or no directory. */
const leadsNowhere = (error: unknown) => ['ENOENT', 'ENOTDIR', 'ELOOP'].includes(codeOf(error) ?? '');
const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code;
const reason = (error: unknown) => (error as Error).message;
