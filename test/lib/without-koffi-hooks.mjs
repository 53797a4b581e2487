export function resolve(specifier, context, next) {
  if (specifier !== 'koffi') return next(specifier, context);
  throw Object.assign(new Error("Cannot find package 'koffi', which is hidden"), {
    code: 'ERR_MODULE_NOT_FOUND',
  });
}
