const use = require('./use.cjs');

use('require()', require('storpool-spopenstack'), require('storpool-spopenstack/testing')).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
