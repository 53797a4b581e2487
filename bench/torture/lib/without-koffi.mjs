// For `node --import`: to this process koffi is not installed.
import { register } from 'node:module';

register('./without-koffi-hooks.mjs', import.meta.url);
