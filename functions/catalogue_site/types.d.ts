/** The catalogue's JSON (docs/serving.md) and workload.json's `form` (docs/workloads.md), for the type checker only. */

interface Metric { name: string; label: string; value: number; unit: string; better: "lower" | "higher" }
interface Gate { metric: string; at_most?: number | null; at_least?: number | null }
interface StoredFile { digest: string; bytes: number }

interface Model {
  workload: string; title: string; description: string; version: number;
  approved_at: string | null; approved_by: string | null; live: boolean; live_since: string | null;
  metrics: Metric[]; gate: Gate | null;
  formats: { native: StoredFile | null; onnx: StoredFile | null };
  form: FieldsForm | DrawingForm | null;
  /** What is wrong with its files, as a sentence. */
  problem?: string | null;
}
interface Listing { generated_at: string; expires_at: string; next: string | null; models: Model[] }
interface DownloadLink extends StoredFile { url: string; filename: string }

interface Evaluation {
  figures?: Figure[]; warnings?: string[];
  baseline?: { label: string; value: number } | null; champion?: { value: number } | null;
}
interface ModelDetails extends Model { evaluation: Evaluation }

interface Titled { title: string; caption: string }
interface Scatter extends Titled {
  kind: "scatter"; x_label: string; y_label: string; points: [number, number][]; line: "diagonal" | "zero" | null;
}
interface Bars extends Titled { kind: "bars"; rows: [string, number][] }
interface Matrix extends Titled { kind: "matrix"; x_label: string; y_label: string; labels: string[]; counts: number[][] }
interface Pictures extends Titled { kind: "pictures"; pictures: { png: string; caption: string }[] }
type Figure = Scatter | Bars | Matrix | Pictures;

interface RangeField {
  name: string; label: string; unit?: string; minimum: number; maximum: number; step: number; default: number;
  optional?: boolean; choices?: undefined;
}
interface ChoiceField {
  name: string; label: string; unit?: string; choices: { value: number; label: string }[]; default: number;
  optional?: boolean;
}
type Field = RangeField | ChoiceField;
type ElementType = "float32" | "float64" | "int64";

interface FieldsForm {
  kind: "fields"; fields: Field[];
  tensors: { name: string; type: ElementType; fields: string[] }[];
  output: { tensor: string; label: string; unit?: string; decimals: number };
  curve?: { field: string };
}
interface DrawingForm {
  kind: "drawing"; width: number; height: number; center: boolean;
  tensor: { name: string; type: "float32" };
  output: { tensor: string; labels: string[] };
}

/** One row of a form of fields: a number for each name, NaN where it is unknown. */
type Row = Record<string, number>;
