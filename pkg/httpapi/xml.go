package httpapi

import "github.com/posthaste-dev/posthaste/pkg/httpapi/wire"

// xmlNamed is an answer that says the name of its document element.
type xmlNamed interface{ xmlName() string }

// rootName gives the document element of an answer: a type of SuperOffice's by
// its name, a list by the name of what it holds.
func rootName(body any) string {
	switch body := body.(type) {
	case string, textOrNull:
		return "string"
	case *entity: // nil: none
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

// encodeXML gives an answer as XML. A list of webhooks, which may be long, is
// written one by one.
func encodeXML(body any) ([]byte, error) {
	list, isList := body.([]entity)
	if !isList {
		return wire.EncodeXML(rootName(body), body, carriers)
	}
	return wire.EncodeXMLList(rootName(body), len(list), func(i int) (string, any) { return rootName(list[i]), list[i] }, carriers)
}
