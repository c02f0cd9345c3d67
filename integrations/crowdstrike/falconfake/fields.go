package falconfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// fields are the members of a JSON object, by their exact names: the product's
// names are case-sensitive, those of encoding/json are not.
type fields map[string]json.RawMessage

func (c *call) fields() (fields, error) {
	var f fields
	if err := json.Unmarshal(c.body, &f); err != nil || f == nil {
		return nil, errors.New("the body is not a JSON object")
	}
	return f, nil
}

// read decodes a member; a missing one leaves out as it is, unless it is required.
func (f fields) read(name string, required bool, out any) error {
	text, ok := f[name]
	if !ok {
		if required {
			return fmt.Errorf("%s is required", name)
		}
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s has the wrong type", name)
	}
	return nil
}

// ids are those that a body names, at most most.
func (c *call) ids(name string, most int) ([]string, error) {
	f, err := c.fields()
	if err != nil {
		return nil, err
	}
	var ids []string
	if err := f.read(name, true, &ids); err != nil {
		return nil, err
	}
	if len(ids) > most {
		return nil, fmt.Errorf("%d of %s: at most %d", len(ids), name, most)
	}
	return ids, nil
}

// number reads a parameter that is a number in [low, high].
func (c *call) number(name string, fallback, low, high int) (int, error) {
	if !c.query.Has(name) {
		return fallback, nil
	}
	n, err := strconv.Atoi(c.query.Get(name))
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("invalid %s %q: a number from %d to %d", name, c.query.Get(name), low, high)
	}
	return n, nil
}
