import { spawnSync } from 'node:child_process';
import { now } from '../../lib/stats.mjs';
import { program } from '../lib/program.mjs';
import { Crowd } from './crowd.mjs';

program(
  {
    name: 'chaos',
    about: `Kills Node.js processes and Python services that change one file, any of them at any moment, some just while the file is
torn. No acknowledged change of a Node.js process is lost and no removal undone; of a Python service at most what it
changed after the last access of a Node.js process and before a Python service died, and then a note says so.`,
    options: {
      seconds: { default: 60, help: 'for how long' },
      node: { default: 3, help: 'how many Node.js processes there are at a time' },
      python: { default: 3, help: 'how many Python services' },
      entries: { default: 300, help: 'size of the file in the beginning' },
      aimed: { default: 0.3, help: 'the part of the kills that waits for a torn file' },
      locker: { default: 'koffi', choices: ['koffi', 'flock'], help: 'how the kernel lock is taken' },
    },
  },
  async (options, report) => {
    if (spawnSync('python3', ['--version']).status !== 0) {
      report.skip('there is no python3');
      return;
    }
    const crowd = new Crowd(options);
    const end = now() + options.seconds * 1000;
    while (now() < end) {
      await crowd.killSome();
      report.progress(crowd.progress);
    }
    await crowd.end();
    for (const text of crowd.failures) report.violation(text);
    await crowd.judge(report);
  },
);
