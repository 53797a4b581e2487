// Tests that are CommonJS: Jest has to turn the package, which is ESM, into CommonJS.
const plugins = ['@babel/plugin-transform-dynamic-import', '@babel/plugin-transform-modules-commonjs'];

export default {
  testMatch: ['**/commonjs.test.cjs'],
  transform: { '\\.js$': ['babel-jest', { plugins }] },
  transformIgnorePatterns: ['/node_modules/(?!storpool-spopenstack/)'],
};
