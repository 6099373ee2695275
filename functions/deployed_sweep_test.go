package functions_test

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"github.com/posthaste-dev/posthaste/pkg/delivery"
	"github.com/posthaste-dev/posthaste/pkg/failure"
	"github.com/posthaste-dev/posthaste/pkg/job"
	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

func TestDeployed_DeadLetterBecomesADelivery(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	receiver := newTarget(t, http.StatusOK)
	event := d.past("deployed.letter")
	id := d.create("deployed.letter", receiver.URL, "s")
	defer d.remove(id)
	d.send("DEAD_LETTER_QUEUE_URL", delivery.EncodeMessage(delivery.Message{
		Kind: delivery.MessageAttempt, Tenant: tenant, Webhook: id, Event: event, Round: 1, Attempt: 1,
	}))
	d.sweep()
	eventually(t, "delivered", func() bool { return d.row(id, event).Status == delivery.StatusDelivered })
}

func TestDeployed_UnreferencedSecretIsDeleted(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	manager := &secrets.Manager{Client: d.secrets, Prefix: os.Getenv("SECRET_PREFIX"), Random: rand.Reader}
	name, err := manager.Name(tenant, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := manager.Create(t.Context(), name, webhook.SecretDocument{Current: webhook.NewSecret("orphan")})
	if err != nil {
		t.Fatal(err)
	}
	intent := webhook.Intent{Secret: name, Tenant: tenant, Webhook: 1 << 30, At: time.Now().Add(-2 * time.Hour)}
	if err := d.store.Webhooks().PutIntent(t.Context(), intent); err != nil {
		t.Fatal(err)
	}
	d.sweep()
	if _, err := manager.Read(t.Context(), ref); err == nil {
		t.Error("the secret is still readable")
	}
	left, err := d.store.Webhooks().Intents(t.Context(), time.Now(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range left {
		if i.Secret == name {
			t.Error("the intent is still there")
		}
	}
}

// It runs on its own, so that the scheduled sweep enqueues the delivery and not
// another test's call of the sweep.
func TestSettled_DownTargetGetsItsEventFromTheScheduledSweep(t *testing.T) {
	d := deployed(t)
	down := downTarget(t, receiverAddress, http.StatusOK)
	address := down.Listener.Addr().String()
	if err := down.Listener.Close(); err != nil {
		t.Fatal(err)
	}
	id := d.create("deployed.down", "http://"+address, "s")
	defer d.remove(id)
	event := d.signal("deployed.down")
	eventually(t, "two failed attempts", func() bool {
		row := d.row(id, event)
		return row.Attempt == 2 && row.LeaseBy == "" && row.Status == delivery.StatusPending
	})
	if row := d.row(id, event); row.Attempts[0].Error != failure.Refused {
		t.Errorf("the first attempt failed by %q", row.Attempts[0].Error)
	}
	up := downTarget(t, address, http.StatusOK)
	up.Start()
	// The third attempt is due in five minutes; make it due now.
	row := d.row(id, event)
	now := &types.AttributeValueMemberN{Value: fmt.Sprint(time.Now().UnixMilli())}
	_, err := d.database.UpdateItem(t.Context(), &dynamodb.UpdateItemInput{
		TableName: aws.String(os.Getenv("DELIVERIES_TABLE")), UpdateExpression: aws.String("SET sweep_at = :now, next_at = :now"),
		Key: map[string]types.AttributeValue{
			"pk": &types.AttributeValueMemberS{Value: fmt.Sprintf("T#%s#W#%d#%d", tenant, id, row.Event.Partition(8))},
			"sk": &types.AttributeValueMemberS{Value: string(row.Event)},
		},
		ConditionExpression:       aws.String("attribute_exists(pk)"),
		ExpressionAttributeValues: map[string]types.AttributeValue{":now": now},
	})
	if err != nil {
		t.Fatal(err)
	}
	within(t, 150*time.Second, "delivered", func() bool { return d.row(id, event).Status == delivery.StatusDelivered })
	if got := d.row(id, event); got.Attempt != 3 || up.count() != 1 {
		t.Errorf("%d POSTs, row %+v", up.count(), got)
	}
}

func TestSettled_NoDeadLetters(t *testing.T) {
	for _, queue := range []string{"DEAD_LETTER_QUEUE_URL", "INGEST_DEAD_LETTER_QUEUE_URL"} {
		if n := deployed(t).waiting(queue); n != 0 {
			t.Errorf("%d messages in %s", n, queue)
		}
	}
}

func TestDeployed_RedispatchMakesTheDeliveriesThatAreMissing(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	began := time.Now()
	receiver := newTarget(t, http.StatusOK)
	event := d.past("deployed.redispatched")
	id := d.create("deployed.redispatched", receiver.URL, "s")
	defer d.remove(id)
	w, err := d.store.Webhooks().Get(t.Context(), tenant, id)
	if err == nil { // redispatch skips events from before the activation
		w.Revision, w.ActivatedAt = w.Revision+1, began
		err = d.store.Webhooks().Update(t.Context(), w, webhook.Change{})
	}
	if err != nil {
		t.Fatal(err)
	}
	redispatch, err := job.New(job.Redispatch, tenant, webhook.Associate{ID: 1}, time.Now(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	redispatch.From, redispatch.To = began.Add(-time.Second), time.Now().Add(time.Second)
	if err := d.store.Jobs().Create(t.Context(), redispatch); err != nil {
		t.Fatal(err)
	}
	d.sweep()
	eventually(t, "delivered", func() bool { return d.row(id, event).Status == delivery.StatusDelivered })
}

// The tenant's record is removed minutes later, after a second pass.
func TestDeployed_DeletedTenantHasNothingLeft(t *testing.T) {
	d := deployed(t)
	t.Parallel()
	receiver := newTarget(t, http.StatusOK)
	admin := d.administrator()
	name := fmt.Sprintf("Cust%d", time.Now().UnixNano())
	ask := func(method, path, body string, want int, edit ...func(*http.Request)) []byte {
		t.Helper()
		status, _, data := d.call(method, path, "application/json", []byte(body), edit...)
		if status != want {
			t.Fatalf("%s %s: got %d %s", method, path, status, data)
		}
		return data
	}
	ask(http.MethodPost, "/admin/v1/Tenants", fmt.Sprintf(`{"Name": %q}`, name), http.StatusCreated, admin)
	var credential struct{ Secret string }
	made := ask(http.MethodPost, "/admin/v1/Tenants/"+name+"/Credentials", `{"Kind": "basic", "User": "u", "Scopes": ["webhooks", "events"]}`, http.StatusCreated, admin)
	if err := json.Unmarshal(made, &credential); err != nil || credential.Secret == "" {
		t.Fatalf("%s (%v)", made, err)
	}
	own := func(r *http.Request) { r.SetBasicAuth("u", credential.Secret) }
	ask(http.MethodPost, "/api/v1/Webhook", fmt.Sprintf(`{"Name": "n", "Events": ["a.b"], "TargetUrl": %q, "Secret": "s"}`, receiver.URL), http.StatusOK, own)
	ask(http.MethodPost, "/api/v1/Webhook/a.b/1", `{}`, http.StatusNoContent, own)
	eventually(t, "the tenant's event", func() bool { return receiver.count() == 1 })
	leaving, event := webhook.Tenant(name), webhook.EventID(receiver.header(0, "Webhook-Id"))
	eventually(t, "its delivery's row", func() bool {
		row, err := d.store.Deliveries().Get(t.Context(), delivery.Key{Tenant: leaving, Webhook: 1, Event: event})
		return err == nil && row.Status == delivery.StatusDelivered
	})
	exported := ask(http.MethodGet, "/admin/v1/Tenants/"+name+"/Export", "", http.StatusOK, admin)
	for _, kind := range []string{"Webhook", "Event", "Delivery"} {
		if !bytes.Contains(exported, fmt.Appendf(nil, `{"Kind":%q`, kind)) {
			t.Errorf("no %s in the export:\n%s", kind, exported)
		}
	}
	ask(http.MethodDelete, "/admin/v1/Tenants/"+name, "", http.StatusAccepted, admin)
	ask(http.MethodGet, "/api/v1/Webhook", "", http.StatusUnauthorized, own)
	eventually(t, "its webhook, event and delivery are gone", func() bool {
		d.sweep()
		_, noWebhook := d.store.Webhooks().Get(t.Context(), leaving, 1)
		_, noEvent := d.store.Events().Get(t.Context(), leaving, event)
		_, noRow := d.store.Deliveries().Get(t.Context(), delivery.Key{Tenant: leaving, Webhook: 1, Event: event})
		return errors.Is(noWebhook, webhook.ErrNotFound) && errors.Is(noEvent, webhook.ErrNotFound) && errors.Is(noRow, webhook.ErrNotFound)
	})
}
