// The sandbox phone: the customers' side of WhatsApp, and what goes on behind it.

import { listen } from "./api.js";
import * as chat from "./chat.js";
import * as chats from "./chats.js";
import * as composer from "./composer.js";
import * as drawer from "./drawer.js";
import { at } from "./dom.js";
import { NAMES, take } from "./model.js";
import * as people from "./people.js";

chats.drawButtons();
chats.start();
people.start();
chat.start();
composer.start();
drawer.start();

const notice = (text) => at("notice").replaceChildren(text);

listen(
  NAMES,
  (name, data) => {
    if (name === "hello") notice("");
    take(name, data);
  },
  () => notice("The sandbox does not answer; waiting for it."),
);
