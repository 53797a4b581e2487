// For `node --import`: to this process koffi is not installed.
import * as module from 'node:module';
import { resolve } from './without-koffi-hooks.mjs';

// Newer versions of Node.js warn of register(), older ones have nothing else.
if (module.registerHooks) module.registerHooks({ resolve });
else module.register('./without-koffi-hooks.mjs', import.meta.url);
