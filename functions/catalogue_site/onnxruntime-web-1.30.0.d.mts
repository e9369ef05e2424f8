/** The part of onnxruntime-web that predictor.js uses. */

export class Tensor {
  constructor(type: string, data: Float32Array | Float64Array | BigInt64Array, dims: number[]);
  readonly data: ArrayLike<number | bigint>;
  readonly dims: readonly number[];
}
export class InferenceSession {
  static create(model: Uint8Array, options: { executionProviders: string[] }): Promise<InferenceSession>;
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Record<string, Tensor>): Promise<Record<string, Tensor>>;
  release(): Promise<void>;
}
export const env: { logLevel: string; wasm: { numThreads: number; wasmPaths: { wasm: string } } };
