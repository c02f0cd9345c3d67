package apispec

import (
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

func TestDescriptionsAreValid(t *testing.T) {
	if len(Names()) == 0 {
		t.Fatal("there are no descriptions")
	}
	for _, d := range Load(t, Names()...).documents {
		if err := d.api.Validate(t.Context(), openapi3.DisableExamplesValidation()); err != nil {
			t.Errorf("%s: %v", d.name, err)
		}
		if len(d.routes) == 0 {
			t.Errorf("%s: it has no paths", d.name)
		}
	}
}
