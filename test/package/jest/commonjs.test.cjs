const main = require('storpool-spopenstack');
const testing = require('storpool-spopenstack/testing');
const use = require('../use.cjs');

test('a shim under Jest, CommonJS', () => use('Jest, require()', main, testing));
