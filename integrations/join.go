package integrations

// Joiner is an integration that acts through another one, which its configuration names in a
// field with the tag through: that is opened first.
type Joiner interface {
	// Join is called once, before anything else is asked of it. The set holds what was
	// opened so far.
	Join(set *Set) error
}

// Join joins an integration that was just opened, where it acts through another.
func Join(set *Set, opened any) error {
	if j, ok := opened.(Joiner); ok {
		return j.Join(set)
	}
	return nil
}
