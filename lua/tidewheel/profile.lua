-- SPDX-License-Identifier: MIT
-- client.profile: the profile of one user, for servers that personalise.
local area = require "tidewheel.area"

local profile = area.class{ get = { "profile.get" } }

return function(client)
  return area.new(profile, client)
end
