package outbound

import (
	"bytes"
	"io"
	"log"
	"sync"
)

// unasked begins the line that net/http prints to the standard logger when
// bytes arrive on an idle connection; the bytes follow. A target that echoes a
// request could put the webhook's secret headers into the log.
var unasked = []byte("Unsolicited response received on idle HTTP channel")

// quietOnce wraps the standard logger's writer, once per process.
var quietOnce = sync.OnceFunc(func() { log.SetOutput(quiet{log.Writer()}) })

// quiet drops log lines whose content a target controls.
type quiet struct{ io.Writer }

func (q quiet) Write(line []byte) (int, error) {
	if bytes.Contains(line, unasked) {
		return len(line), nil
	}
	return q.Writer.Write(line)
}
