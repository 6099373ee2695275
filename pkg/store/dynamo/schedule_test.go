package dynamo_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/posthaste-dev/posthaste/pkg/store/dynamo"
)

// gate is a client that blocks every call of an actor until the schedule
// releases it. Calls without an actor pass.
type gate struct {
	dynamo.Client
	arrivals chan arrival
}

type arrival struct {
	actor int
	ended bool
	goOn  chan struct{}
}

type actorKey struct{}

func (g *gate) pass(ctx context.Context) {
	if actor, ok := ctx.Value(actorKey{}).(int); ok {
		a := arrival{actor: actor, goOn: make(chan struct{})}
		g.arrivals <- a
		<-a.goOn
	}
}

func (g *gate) GetItem(ctx context.Context, in *dynamodb.GetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.GetItemOutput, error) {
	g.pass(ctx)
	return g.Client.GetItem(ctx, in, o...)
}

func (g *gate) PutItem(ctx context.Context, in *dynamodb.PutItemInput, o ...func(*dynamodb.Options)) (*dynamodb.PutItemOutput, error) {
	g.pass(ctx)
	return g.Client.PutItem(ctx, in, o...)
}

func (g *gate) DeleteItem(ctx context.Context, in *dynamodb.DeleteItemInput, o ...func(*dynamodb.Options)) (*dynamodb.DeleteItemOutput, error) {
	g.pass(ctx)
	return g.Client.DeleteItem(ctx, in, o...)
}

func (g *gate) Query(ctx context.Context, in *dynamodb.QueryInput, o ...func(*dynamodb.Options)) (*dynamodb.QueryOutput, error) {
	g.pass(ctx)
	return g.Client.Query(ctx, in, o...)
}

func (g *gate) BatchGetItem(ctx context.Context, in *dynamodb.BatchGetItemInput, o ...func(*dynamodb.Options)) (*dynamodb.BatchGetItemOutput, error) {
	g.pass(ctx)
	return g.Client.BatchGetItem(ctx, in, o...)
}

func (g *gate) TransactWriteItems(ctx context.Context, in *dynamodb.TransactWriteItemsInput, o ...func(*dynamodb.Options)) (*dynamodb.TransactWriteItemsOutput, error) {
	g.pass(ctx)
	return g.Client.TransactWriteItems(ctx, in, o...)
}

// race is one run of some actors.
type race struct {
	actors []func(context.Context)
	// between is called whenever all actors are blocked, and at the end.
	between func(schedule string)
}

// everySchedule runs a new race for every order in which the actors' calls can
// follow one another.
func everySchedule(t *testing.T, g *gate, start func() race) int {
	t.Helper()
	var choices []int
	for runs := 1; ; runs++ {
		widths := g.run(t.Context(), start(), &choices)
		last := len(choices) - 1
		for last >= 0 && choices[last]+1 >= widths[last] {
			last--
		}
		if last < 0 || t.Failed() {
			return runs
		}
		choices = append(choices[:last:last], choices[last]+1)
	}
}

// run follows the given choices and then always picks the first actor. It
// completes choices and returns how many options each had.
func (g *gate) run(ctx context.Context, r race, choices *[]int) (widths []int) {
	for i, act := range r.actors {
		go func() {
			act(context.WithValue(ctx, actorKey{}, i))
			g.arrivals <- arrival{actor: i, ended: true}
		}()
	}
	standing := make([]*arrival, len(r.actors))
	running, schedule := len(r.actors), ""
	for {
		for ; running > 0; running-- {
			a := <-g.arrivals
			if !a.ended {
				standing[a.actor] = &a
			}
		}
		r.between(schedule)
		var ready []int
		for i, a := range standing {
			if a != nil {
				ready = append(ready, i)
			}
		}
		if len(ready) == 0 {
			return widths
		}
		step := len(widths)
		if step == len(*choices) {
			*choices = append(*choices, 0)
		}
		widths = append(widths, len(ready))
		chosen := ready[(*choices)[step]]
		schedule += fmt.Sprint(chosen)
		a := standing[chosen]
		standing[chosen], running = nil, 1
		close(a.goOn)
	}
}
