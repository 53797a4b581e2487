import * as main from 'storpool-spopenstack';
import * as testing from 'storpool-spopenstack/testing';
import use from '../use.cjs';

test('a shim under Jest, ESM', () => use('Jest, import', main, testing));
