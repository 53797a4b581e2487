#!/usr/bin/env bash
# Does with the packed tarball what teams do with a package: run.sh TARBALL
set -euo pipefail
tarball=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$(dirname "$0")/." "$work"
cd "$work"
npm install --silent --no-package-lock --no-save "$tarball"

for version in 20.19 22 24 26; do
  for kind in esm.mjs commonjs.cjs; do
    npx --yes -p "node@$version" node "$kind"
  done
done

npx --no-install storpool-attachdb --version
node entries.mjs
node declarations.mjs

node bundles.mjs
node --test node-test/

for jest in jest-29 jest-30; do
  node "node_modules/$jest/bin/jest.js" --config jest/commonjs.config.mjs
  node --experimental-vm-modules "node_modules/$jest/bin/jest.js" --config jest/esm.config.mjs
done

for module in node16 nodenext; do
  echo "TypeScript $(node_modules/.bin/tsc --version), module $module"
  node_modules/.bin/tsc -p typescript --module "$module"
done
