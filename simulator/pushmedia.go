package simulator

import (
	"fmt"
	"time"

	"github.com/wxstack/wxstack/simulator/internal/catalog"
	"github.com/wxstack/wxstack/simulator/internal/errcode"
)

// attachFiles stores the files of a push as temporary material, so that the account can get them and answer with them, and
// writes their ids into the fields that aren't set. The caller holds the lock.
func (p *Platform) attachFiles(account *accountState, entry catalog.Entry, push *Push, fields map[string]string, now time.Time) error {
	kind, known := map[Type]string{
		TypeImage: kindImage, TypeVoice: kindVoice, TypeVideo: kindVideo, "shortvideo": kindVideo,
	}[push.Type]
	if !known && len(push.Media) > 0 {
		return fmt.Errorf("%w: media is for a picture, voice or video, not for type %q", ErrInvalid, push.Type)
	}
	keep := func(path, kind string, data []byte) (*mediaItem, error) {
		if _, set := fields[path]; set || !entry.Has(path) {
			return nil, nil //nolint:nilnil // Nothing to keep, and nothing wrong.
		}
		item, err := p.keepFile(account, kind, data, now)
		if err == nil {
			fields[path] = item.id
		}

		return item, err
	}
	if known {
		item, err := keep("MediaId", kind, push.Media)
		if err != nil {
			return err
		}
		if _, set := fields["PicUrl"]; item != nil && !set && entry.Has("PicUrl") {
			fields["PicUrl"] = p.pictureURL(item)
		}
		if _, err := keep("MediaId16K", kindVoice, push.Media); err != nil {
			return err
		}
	}
	item, err := keep("ThumbMediaId", kindThumb, nil)
	if _, set := fields["ThumbUrl"]; item != nil && !set && entry.Has("ThumbUrl") {
		fields["ThumbUrl"] = p.pictureURL(item)
	}

	return err
}

// keepFile stores a file, or a sample of its kind if there is none, by the rules of temporary material.
func (p *Platform) keepFile(account *accountState, kind string, data []byte, now time.Time) (*mediaItem, error) {
	if len(data) == 0 {
		data = sampleFile(kind)
	}
	contentType, code := checkMedia(temporaryRules, kind, data)
	if code != errcode.OK {
		return nil, fmt.Errorf("%w: media must be a %s as WeChat takes it, of at most %d bytes (%d %s)",
			ErrInvalid, kind, temporaryRules[kind].maxBytes, code, code.Text())
	}
	item := &mediaItem{id: p.newMediaID(), kind: kind, contentType: contentType, data: data, stored: now}
	account.temporary.add(item)

	return item, nil
}
