// Package interop compares our reading of WeChat's protocol with that of other people's SDKs, which real
// accounts have run on for years: signatures and encryption in both directions, and their callback
// handlers against our simulator. One mistake made on both of our own sides would show here.
//
// It is a module outside go.work, with a go.work of its own: what the SDKs require must not choose the
// versions of what is shipped.
package interop
