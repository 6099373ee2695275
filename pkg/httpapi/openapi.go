package httpapi

import (
	_ "embed" // the document
	"net/http"
)

// openAPI describes the whole API, for people and for programs. It is written
// by hand; its test holds it against the route table and against the answers
// of all other tests.
//
//go:embed openapi.json
var openAPI []byte

// describeAPI gives the OpenAPI document. It is JSON whatever the caller
// accepts.
func (a *api) describeAPI(*call) (reply, error) {
	return reply{status: http.StatusOK, json: openAPI}, nil
}
