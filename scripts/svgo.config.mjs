// How the pictures that Mermaid draws become small. Mermaid brings symbols and attributes that no picture here uses.
export default {
  multipass: true,
  floatPrecision: 1,
  plugins: [
    // The style sheet refers to the picture by this ID. All others are free to go, or to be short.
    { name: 'preset-default', params: { overrides: { cleanupIds: { force: true, preserve: ['my-svg'] } } } },
    { name: 'removeAttrs', params: { attrs: ['data-.*', 'aria-.*'] } },
  ],
};
