-- What was asked about has moved: the question stands with what is there now. $1 review, $2 detail (null: as it is), $3 link's rev
-- params: 3
UPDATE sync.review SET detail = coalesce($2::jsonb, detail), link_rev = coalesce($3::int8, link_rev), created_at = now() WHERE id = $1;
