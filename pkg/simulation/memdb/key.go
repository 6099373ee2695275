package memdb

import (
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// primary is an item's key in the form that orders the trees.
type primary struct {
	partition, sort string
}

// tie distinguishes the items of an index that share an index key.
func (k primary) tie() string { return k.partition + "\x00" + k.sort }

// text returns the key as the hooks show it.
func (k primary) text() string {
	if k.sort == "" {
		return k.partition
	}
	return k.partition + "/" + k.sort
}

// keyText checks one key attribute and returns its ordered form.
func keyText(a Attribute, v types.AttributeValue) (string, error) {
	want := a.Type
	if want == "" {
		want = types.ScalarAttributeTypeS
	}
	if kind(v) != string(want) {
		return "", invalid("One or more parameter values were invalid: Type mismatch for key %s expected: %s actual: %s", a.Name, want, kind(v))
	}
	text := ""
	switch v := v.(type) {
	case *types.AttributeValueMemberS:
		text = v.Value
	case *types.AttributeValueMemberB:
		text = string(v.Value)
	case *types.AttributeValueMemberN:
		d, err := parseDecimal(v.Value)
		return d.sortable(), err
	}
	if text == "" {
		return "", invalid("One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: %s", a.Name)
	}
	return text, nil
}

// keyOf extracts the key of an item that may have other attributes.
func keyOf(pk, sk Attribute, item Item) (primary, error) {
	partition, err := keyPart(pk, item, 2048)
	if err != nil || sk.Name == "" {
		return primary{partition: partition}, err
	}
	sort, err := keyPart(sk, item, 1024)
	return primary{partition, sort}, err
}

// keyPart extracts one attribute of a key.
func keyPart(a Attribute, item Item, maxBytes int) (string, error) {
	v, ok := item[a.Name]
	if !ok {
		return "", invalid("One or more parameter values were invalid: Missing the key %s in the item", a.Name)
	}
	text, err := keyText(a, v)
	if err == nil && len(text) > maxBytes {
		err = invalid("One or more parameter values were invalid: Size of key %s has exceeded %d bytes", a.Name, maxBytes)
	}
	return text, err
}

// key converts a key, which must have no other attributes.
func (t *table) key(item Item) (primary, error) {
	if len(item) != len(keyNames(t.PK, t.SK)) {
		return primary{}, invalid("The provided key element does not match the schema")
	}
	k, err := keyOf(t.PK, t.SK, item)
	if err != nil && item[t.PK.Name] == nil {
		err = invalid("The provided key element does not match the schema")
	}
	return k, err
}

// indexKey returns the item's key in an index and whether the index has the
// item. It refuses a key attribute that is empty or of the wrong type.
func (x *Index) indexKey(item Item) (primary, bool, error) {
	_, hasPK := item[x.PK.Name]
	_, hasSK := item[x.SK.Name]
	if !hasPK || !hasSK && x.SK.Name != "" {
		return primary{}, false, x.checkPresent(item)
	}
	k, err := keyOf(x.PK, x.SK, item)
	return k, err == nil, err
}

func (x *Index) checkPresent(item Item) error {
	for _, a := range []Attribute{x.PK, x.SK} {
		if v, ok := item[a.Name]; ok && a.Name != "" {
			if _, err := keyText(a, v); err != nil {
				return err
			}
		}
	}
	return nil
}
