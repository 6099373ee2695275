package outbound

import (
	"bytes"
	"io"
	"log"
	"sync"
)

// unasked is what net/http begins to say, to the standard logger, of bytes that
// come on an idle connection; it goes on with the bytes. A target that echoes a
// request would have the webhook's secret headers in the log.
var unasked = []byte("Unsolicited response received on idle HTTP channel")

// quietOnce puts the filter before the standard logger's writer, once for all
// senders of a process.
var quietOnce = sync.OnceFunc(func() { log.SetOutput(quiet{log.Writer()}) })

// quiet drops what targets could write into a log.
type quiet struct{ io.Writer }

func (q quiet) Write(line []byte) (int, error) {
	if bytes.Contains(line, unasked) {
		return len(line), nil
	}
	return q.Writer.Write(line)
}
