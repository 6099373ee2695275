package httpapi

import "github.com/posthaste-dev/posthaste/pkg/httpapi/wire"

// xmlNamed is a body that names its own document element.
type xmlNamed interface{ xmlName() string }

// rootName returns the document element of a body: the name of SuperOffice's type,
// for a list ArrayOf and the name of its items' type.
func rootName(body any) string {
	switch body := body.(type) {
	case string, textOrNull:
		return "string"
	case *entity: // nil: not found
		return "Webhook"
	case xmlNamed:
		return body.xmlName()
	case []entity:
		return "ArrayOfWebhook"
	}
	return "anyType"
}

func (e entity) xmlName() string {
	if e.Links != nil {
		return "WebhookWithLinks"
	}
	return "Webhook"
}

func (errorBody) xmlName() string { return "Error" }

func (agentError) xmlName() string { return "Error" }

func (result) xmlName() string { return "WebhookResult" }

// encodeXML encodes a body as XML. A list of webhooks, which may be long, is
// written item by item.
func encodeXML(body any) ([]byte, error) {
	list, isList := body.([]entity)
	if !isList {
		return wire.EncodeXML(rootName(body), body, carriers)
	}
	return wire.EncodeXMLList(rootName(body), len(list), func(i int) (string, any) { return rootName(list[i]), list[i] }, carriers)
}
