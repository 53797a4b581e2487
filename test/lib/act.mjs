import { createInterface } from 'node:readline';

const answer = (reply) => process.stdout.write(`${JSON.stringify(reply)}\n`);

/** What a process behind `actor.mjs` does: carries out commands until nobody is left who could give any. */
export function act(commands) {
  const lines = createInterface({ input: process.stdin });
  lines.on('line', async (line) => {
    const { id, command, args } = JSON.parse(line);
    try {
      answer({ id, value: await commands[command](args) });
    } catch ({ name, code = name, message }) {
      answer({ id, error: { code, message } });
    }
  });
  lines.on('close', () => process.exit());
  answer({ id: 'ready' });
}
