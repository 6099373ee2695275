package memdb

import (
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// request holds what the single writes and a transaction's actions have in
// common.
type request struct {
	table     *string
	put       Item // the whole item of a put
	key       Item // the key of the others
	update    *string
	remove    bool
	checkOnly bool

	condition *string
	names     map[string]string
	values    Item
	onFailure types.ReturnValuesOnConditionCheckFailure
}

// action is a validated request, ready to be tried.
type action struct {
	request
	table     *table
	key       primary
	keyItem   Item
	item      Item // of a put, a copy
	bound     bindings
	condition condition
	update    *update
}

// prepare checks everything that does not depend on the stored item.
func (db *DB) prepare(r request) (action, error) {
	a := action{request: r}
	var err error
	if a.table, err = db.table(r.table); err != nil {
		return a, err
	}
	condition, err := db.parse("ConditionExpression", r.condition, parseCondition)
	if err != nil {
		return a, err
	}
	change, err := db.parse("UpdateExpression", r.update, parseUpdate)
	if err != nil {
		return a, err
	}
	if a.bound, err = bind(r.names, r.values, condition, change); err != nil {
		return a, err
	}
	if condition != nil {
		a.condition = condition.condition
		if err := a.condition.check(a.bound); err != nil {
			return a, invalid("Invalid ConditionExpression: %s", message(err))
		}
	}
	if change != nil {
		a.update = change.update
		if err := a.update.check(a.bound, keyNames(a.table.PK, a.table.SK)); err != nil {
			return a, err
		}
	}
	if r.put != nil {
		if a.item, err = takeItem(r.put); err != nil {
			return a, err
		}
		if a.key, err = keyOf(a.table.PK, a.table.SK, a.item); err != nil {
			return a, err
		}
		return a, a.checkItem(a.item)
	}
	if a.keyItem, err = takeItem(r.key); err != nil {
		return a, err
	}
	a.key, err = a.table.key(a.keyItem)
	return a, err
}

// checkItem refuses an item that the table or an index cannot hold.
func (a *action) checkItem(item Item) error {
	if itemBytes(item) > maxItemBytes {
		return invalid("Item size has exceeded the maximum allowed size")
	}
	for i := range a.table.Indexes {
		if _, _, err := a.table.Indexes[i].indexKey(item); err != nil {
			return err
		}
	}
	return nil
}

// try evaluates the action on the newest state and stores nothing. If the
// condition fails, met is false.
func (a *action) try(commit int) (old, item Item, met bool, err error) {
	old = a.table.base.get(a.key.partition, a.key.sort, "", commit)
	if a.condition != nil && !a.condition.holds(old, a.bound) {
		return old, old, false, nil
	}
	switch {
	case a.checkOnly:
		return old, old, true, nil
	case a.remove:
		return old, nil, true, nil
	case a.put != nil:
		return old, a.item, true, nil
	}
	from := old
	if from == nil {
		from = a.keyItem
	}
	item = from
	if a.update != nil {
		if item, err = a.update.apply(from, a.bound); err != nil {
			return old, nil, false, err
		}
	}
	return old, item, true, a.checkItem(item)
}

// refusedItem returns the part of the item that a failed condition reveals.
func (a *action) refusedItem(old Item) Item {
	if a.onFailure == types.ReturnValuesOnConditionCheckFailureAllOld {
		return give(old)
	}
	return nil
}

// changes reports whether a write alters anything.
func changes(old, item Item) bool {
	return (old == nil) != (item == nil) || !equalItems(old, item)
}

func (db *DB) table(name *string) (*table, error) {
	t, ok := db.tables[aws.ToString(name)]
	if !ok {
		return nil, &types.ResourceNotFoundException{Message: aws.String("Cannot do operations on a non-existent table: " + aws.ToString(name))}
	}
	return t, nil
}
