package engine

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"google.golang.org/grpc"

	"github.com/stanch-soar/stanch/integrations/bubbletest"
)

// operator is a cluster's operator service. It shows an attribute that was
// added only from the second listing after that on, as clusters do.
type operator struct {
	operatorservice.OperatorServiceClient
	attributes, added map[string]enums.IndexedValueType
	refusal           error
	adds              int
}

func (o *operator) ListSearchAttributes(context.Context, *operatorservice.ListSearchAttributesRequest, ...grpc.CallOption) (*operatorservice.ListSearchAttributesResponse, error) {
	answer := &operatorservice.ListSearchAttributesResponse{CustomAttributes: map[string]enums.IndexedValueType{}}
	for name, kind := range o.attributes {
		answer.CustomAttributes[name] = kind
	}
	for name, kind := range o.added {
		o.attributes[name] = kind
	}
	return answer, nil
}

func (o *operator) AddSearchAttributes(_ context.Context, r *operatorservice.AddSearchAttributesRequest, _ ...grpc.CallOption) (*operatorservice.AddSearchAttributesResponse, error) {
	o.adds++
	if o.refusal != nil {
		return nil, o.refusal
	}
	o.added = r.GetSearchAttributes()
	return &operatorservice.AddSearchAttributesResponse{}, nil
}

func want() map[string]enums.IndexedValueType {
	return map[string]enums.IndexedValueType{"StanchKind": enums.INDEXED_VALUE_TYPE_KEYWORD, "StanchRule": enums.INDEXED_VALUE_TYPE_KEYWORD}
}

func TestEnsureAddsWhatIsMissing(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		o := &operator{attributes: map[string]enums.IndexedValueType{"StanchKind": enums.INDEXED_VALUE_TYPE_KEYWORD}}
		for range 2 {
			if err := ensure(t.Context(), o, "secops", want()); err != nil {
				t.Fatal(err)
			}
		}
		if len(o.added) != 1 || len(o.attributes) != 2 || o.adds != 1 {
			t.Errorf("added %v in %d calls; there are %v", o.added, o.adds, o.attributes)
		}
	})
}

func TestEnsureRefusals(t *testing.T) {
	for _, c := range []struct {
		name       string
		attributes map[string]enums.IndexedValueType
		refusal    error
		want       string
	}{
		{
			"another type",
			map[string]enums.IndexedValueType{"StanchRule": enums.INDEXED_VALUE_TYPE_TEXT},
			nil,
			"StanchRule is of type Text and has to be Keyword: rename or remove the old one",
		},
		{
			"no permission", nil, serviceerror.NewPermissionDenied("no", ""),
			"they may not be added by this client, so an administrator has to run\n" +
				"  temporal operator search-attribute create --namespace secops --name StanchKind --type Keyword\n" +
				"  temporal operator search-attribute create --namespace secops --name StanchRule --type Keyword",
		},
		{"cluster is down", nil, serviceerror.NewUnavailable("down"), "add StanchKind, StanchRule: down"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := ensure(t.Context(), &operator{attributes: c.attributes, refusal: c.refusal}, "secops", want())
			if err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// Waiting for an attribute that never becomes known ends with the caller's context.
func TestEnsureGivesUp(t *testing.T) {
	bubbletest.Run(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		o := &operator{attributes: map[string]enums.IndexedValueType{}}
		done := make(chan error)
		go func() { done <- known(ctx, o, "secops", want()) }()
		synctest.Wait()
		cancel()
		if err := <-done; err == nil || !strings.Contains(err.Error(), "wait for StanchKind, StanchRule: context canceled") {
			t.Errorf("error %v", err)
		}
	})
}
