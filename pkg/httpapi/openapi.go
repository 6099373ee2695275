package httpapi

import (
	_ "embed" // the document
	"net/http"
)

// openAPI describes the whole API, for people and programs. It is written by
// hand. Its test compares it with the route table, and with the responses in all
// other tests.
//
//go:embed openapi.json
var openAPI []byte

// describeAPI returns the OpenAPI document. It is JSON regardless of Accept.
func (a *api) describeAPI(*call) (reply, error) {
	return reply{status: http.StatusOK, json: openAPI}, nil
}
