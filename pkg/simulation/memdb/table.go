package memdb

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// Item is a DynamoDB item.
type Item = map[string]types.AttributeValue

// Attribute is a key attribute. The zero Type means a string.
type Attribute struct {
	Name string
	Type types.ScalarAttributeType
}

// Table declares a table.
type Table struct {
	Name    string
	PK      Attribute
	SK      Attribute // zero if the table has no sort key
	Indexes []Index
	Stream  bool // whether its changes are logged, see DB.Changes
}

// Index declares a global secondary index. It omits items without one of its
// key attributes.
type Index struct {
	Name       string
	PK         Attribute
	SK         Attribute            // zero if the index has no sort key
	Projection types.ProjectionType // empty means ALL
	Include    []string             // attributes that INCLUDE adds to the keys
}

// TableFrom converts a CreateTable request to a declaration, so that a schema
// is written only once. Local indexes are not modelled and are ignored.
func TableFrom(in *dynamodb.CreateTableInput) Table {
	kinds := make(map[string]types.ScalarAttributeType)
	for _, d := range in.AttributeDefinitions {
		kinds[aws.ToString(d.AttributeName)] = d.AttributeType
	}
	keys := func(schema []types.KeySchemaElement) (pk, sk Attribute) {
		for _, e := range schema {
			name := aws.ToString(e.AttributeName)
			if e.KeyType == types.KeyTypeHash {
				pk = Attribute{Name: name, Type: kinds[name]}
			} else {
				sk = Attribute{Name: name, Type: kinds[name]}
			}
		}
		return pk, sk
	}
	t := Table{Name: aws.ToString(in.TableName)}
	t.PK, t.SK = keys(in.KeySchema)
	for _, g := range in.GlobalSecondaryIndexes {
		index := Index{Name: aws.ToString(g.IndexName)}
		index.PK, index.SK = keys(g.KeySchema)
		if g.Projection != nil {
			index.Projection, index.Include = g.Projection.ProjectionType, g.Projection.NonKeyAttributes
		}
		t.Indexes = append(t.Indexes, index)
	}
	if s := in.StreamSpecification; s != nil {
		t.Stream = aws.ToBool(s.StreamEnabled)
	}
	return t
}

// keyNames returns the attribute names of a primary key.
func keyNames(pk, sk Attribute) []string {
	if sk.Name == "" {
		return []string{pk.Name}
	}
	return []string{pk.Name, sk.Name}
}

// project returns the part of an item that the index holds. It shares the
// values.
func (x *Index) project(t *Table, item Item) Item {
	if x.Projection == "" || x.Projection == types.ProjectionTypeAll {
		return item
	}
	names := append(keyNames(t.PK, t.SK), keyNames(x.PK, x.SK)...)
	if x.Projection == types.ProjectionTypeInclude {
		names = append(names, x.Include...)
	}
	out := make(Item, len(names))
	for _, name := range names {
		if v, ok := item[name]; ok {
			out[name] = v
		}
	}
	return out
}
