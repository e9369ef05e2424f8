// Mistakes that the type checker does not see.
import js from "@eslint/js";

export default [
  { ignores: ["**/onnxruntime-web-*"] },
  {
    ...js.configs.recommended,
    rules: {
      ...js.configs.recommended.rules,
      "no-undef": "off", // the type checker knows what browsers have
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      "no-implicit-coercion": "error",
    },
  },
];
