// Tests that are ESM: NODE_OPTIONS=--experimental-vm-modules jest
export default { testMatch: ['**/esm.test.mjs'], transform: {} };
