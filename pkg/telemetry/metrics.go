package telemetry

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"
)

// Namespace holds all metrics.
const Namespace = "Posthaste"

// Emitter writes metrics in CloudWatch's embedded metric format, one line a
// call. It is safe for concurrent use.
type Emitter struct {
	mu sync.Mutex
	w  io.Writer
}

// Metrics returns an Emitter that writes to w, in Lambda standard output.
func Metrics(w io.Writer) *Emitter { return &Emitter{w: w} }

// Emit writes values as metrics of one set of dimensions. Dimensions must have
// few values: each new combination is a metric that is paid for. Names of
// dimensions and of metrics must differ. No values: nothing is written.
func (e *Emitter) Emit(now time.Time, dims map[string]string, values map[string]float64) error {
	if len(values) == 0 {
		return nil
	}
	type metric struct{ Name string }
	type directive struct {
		Namespace  string
		Dimensions [][]string
		Metrics    []metric
	}
	set := slices.Sorted(maps.Keys(dims))
	if set == nil {
		set = []string{}
	}
	d := directive{Namespace: Namespace, Dimensions: [][]string{set}}
	line := make(map[string]any, len(dims)+len(values)+1)
	for name, value := range dims {
		line[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if _, taken := line[name]; taken {
			return fmt.Errorf("emit metrics: %s is both a dimension and a metric", name)
		}
		line[name] = values[name]
		d.Metrics = append(d.Metrics, metric{name})
	}
	line["_aws"] = map[string]any{"Timestamp": now.UnixMilli(), "CloudWatchMetrics": []directive{d}}
	b, err := json.Marshal(line)
	if err != nil {
		return fmt.Errorf("emit metrics: %w", err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, err := e.w.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("emit metrics: %w", err)
	}
	return nil
}
