package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"
	"google.golang.org/grpc/codes"
)

// SearchAttributes are those that cases and leases are found by, and a namespace must have.
func SearchAttributes() map[string]enums.IndexedValueType {
	attributes := map[string]enums.IndexedValueType{}
	for _, name := range protocol.Attributes() {
		attributes[name] = enums.INDEXED_VALUE_TYPE_KEYWORD
	}
	return attributes
}

// EnsureSearchAttributes adds the search attributes that the namespace lacks
// and returns when the server knows them. It is safe to repeat. One that
// exists with another type is an error, and so is a missing right to add them;
// the text then says what an administrator has to run.
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string, want map[string]enums.IndexedValueType) error {
	if err := ensure(ctx, c.OperatorService(), namespace, want); err != nil {
		return fmt.Errorf("search attributes of namespace %q: %w", namespace, err)
	}
	return nil
}

func ensure(ctx context.Context, o operatorservice.OperatorServiceClient, namespace string, want map[string]enums.IndexedValueType) error {
	missing, err := lacking(ctx, o, namespace, want)
	if err != nil || len(missing) == 0 {
		return err
	}
	_, err = o.AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{Namespace: namespace, SearchAttributes: missing})
	switch code := serviceerror.ToStatus(err).Code(); {
	case code == codes.PermissionDenied || code == codes.Unimplemented || code == codes.Unauthenticated:
		return fmt.Errorf("they may not be added by this client, so an administrator has to run\n%s", commands(namespace, missing))
	case err != nil && code != codes.AlreadyExists:
		return fmt.Errorf("add %s: %w", names(missing), err)
	}
	return known(ctx, o, namespace, want)
}

// known waits until the server lists all of them: it takes a new attribute into
// use only when its own cache is read again.
func known(ctx context.Context, o operatorservice.OperatorServiceClient, namespace string, want map[string]enums.IndexedValueType) error {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		missing, err := lacking(ctx, o, namespace, want)
		if err != nil || len(missing) == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s: %w", names(missing), context.Cause(ctx))
		case <-tick.C:
		}
	}
}

func lacking(ctx context.Context, o operatorservice.OperatorServiceClient, namespace string, want map[string]enums.IndexedValueType) (map[string]enums.IndexedValueType, error) {
	there, err := o.ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("list: %w", err)
	}
	missing := map[string]enums.IndexedValueType{}
	for name, kind := range want {
		has, ok := there.GetCustomAttributes()[name]
		if !ok {
			missing[name] = kind
		} else if has != kind {
			return nil, fmt.Errorf("%s is of type %s and has to be %s: rename or remove the old one", name, has, kind)
		}
	}
	return missing, nil
}

func names(attributes map[string]enums.IndexedValueType) string {
	return strings.Join(slices.Sorted(maps.Keys(attributes)), ", ")
}

func commands(namespace string, attributes map[string]enums.IndexedValueType) string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		lines = append(lines, fmt.Sprintf("  temporal operator search-attribute create --namespace %s --name %s --type %s", namespace, name, attributes[name]))
	}
	return strings.Join(lines, "\n")
}
