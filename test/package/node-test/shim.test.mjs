import test from 'node:test';
import * as main from 'storpool-spopenstack';
import * as testing from 'storpool-spopenstack/testing';
import use from '../use.cjs';

test('a shim under node --test', () => use('node --test', main, testing));
