import * as main from 'storpool-spopenstack';
import * as testing from 'storpool-spopenstack/testing';
import use from './use.cjs';

await use('import', main, testing);
