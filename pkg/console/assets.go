package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"strings"
)

//go:embed console.css console.js
var files embed.FS

const assetPath = Path + "/assets/"

// asset is a file that pages refer to. Its name changes with its content, so browsers may
// keep it.
type asset struct {
	name, kind string
	content    []byte
}

var (
	styleSheet = newAsset("console.css", "text/css; charset=utf-8")
	script     = newAsset("console.js", "text/javascript; charset=utf-8")
)

func newAsset(file, kind string) asset {
	content, _ := files.ReadFile(file) // embedded
	sum := sha256.Sum256(content)
	name, extension, _ := strings.Cut(file, ".")
	return asset{name: name + "-" + hex.EncodeToString(sum[:6]) + "." + extension, kind: kind, content: content}
}

func (a asset) path() string { return assetPath + a.name }

func serveAsset(w http.ResponseWriter, r *http.Request) {
	for _, a := range []asset{styleSheet, script} {
		if r.PathValue("name") == a.name {
			w.Header().Set("Content-Type", a.kind)
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
			send(w, r, http.StatusOK, a.content)
			return
		}
	}
	w.WriteHeader(http.StatusNotFound)
}
