package auth_test

import (
	"context"
	"errors"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager/types"

	"github.com/posthaste-dev/posthaste/pkg/secrets"
	"github.com/posthaste-dev/posthaste/pkg/tenancy"
	"github.com/posthaste-dev/posthaste/pkg/webhook"
)

// keptSecret is a Secrets Manager with one secret, which the template creates.
type keptSecret struct {
	secrets.Client
	text  string
	err   error
	reads atomic.Int32
}

func (k *keptSecret) GetSecretValue(context.Context, *secretsmanager.GetSecretValueInput, ...func(*secretsmanager.Options)) (*secretsmanager.GetSecretValueOutput, error) {
	k.reads.Add(1)
	if k.err != nil {
		return nil, k.err
	}
	return &secretsmanager.GetSecretValueOutput{SecretString: aws.String(k.text)}, nil
}

// A warm environment applies a change made in Secrets Manager.
func TestAuthenticate_DeployedCredentialsAreRotatedWithinAMinute(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	first, admin := &keptSecret{text: firstCredential}, &keptSecret{text: adminPassword}
	b.First, b.Admin = secrets.Value(first, "first", b.clock.Now), secrets.Value(admin, "admin", b.clock.Now)
	b.issue(tenancy.KindBasic, "anna:password", anna(""))
	cookie, xsrf := b.begin(basic(firstCredential))
	administrator, err := b.Authenticate(request(basic("admin:"+adminPassword)), "")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 { // a wrong guess costs no read
		guess := strconv.Itoa(i)
		b.refuses(guess, webhook.ErrUnauthorized, basic("tje0:"+guess))
		b.refuses(guess, webhook.ErrUnauthorized, basic("admin:"+guess))
	}
	if f, a := first.reads.Load(), admin.reads.Load(); f != 1 || a != 1 {
		t.Errorf("the secrets were read %d and %d times, want once", f, a)
	}

	first.text, admin.text = "tje0:new", "new"
	b.clock.Advance(time.Minute)
	b.refuses("the old first credential", webhook.ErrUnauthorized, basic(firstCredential))
	b.refuses("a session started with it", webhook.ErrUnauthorized, cookie, xsrf)
	b.refuses("the administrator's old password", webhook.ErrUnauthorized, basic("admin:"+adminPassword))
	b.wants("the new first credential", tje0, basic("tje0:new"))
	b.wants("the administrator's new password", administrator, basic("admin:new"))

	first.err = errors.New("no answer")
	b.clock.Advance(time.Minute)
	b.wants("while Secrets Manager does not respond", tje0, basic("tje0:new"))
	first.err = &types.InvalidRequestException{} // marked for deletion
	b.clock.Advance(time.Minute)
	b.refuses("once it is deleted", webhook.ErrUnauthorized, basic("tje0:new"))
	b.wants("another credential", anna(""), basic("anna:password"))
}
