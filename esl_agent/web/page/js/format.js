// Numbers, money and times as the language of the page writes them.

export class Format {
  constructor(locale) {
    // Some countries write 05 h 13 min 56 s: too long for a column, and the language alone has 05:13:56.
    const [language] = locale.split("-");
    this._number = new Intl.NumberFormat(locale);
    this._clock = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
    this._minute = new Intl.DateTimeFormat(language, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
    this._moment = new Intl.DateTimeFormat(locale, {
      year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
      hourCycle: "h23",
    });
    this._day = new Intl.DateTimeFormat(locale, { year: "numeric", month: "long", day: "numeric" });
    this._date = new Intl.DateTimeFormat(locale, { month: "short", day: "numeric", timeZone: "UTC" });
    this._locale = locale;
    this._money = new Map();
    this._list = new Intl.ListFormat(locale);
    this._countries = new Intl.DisplayNames(locale, { type: "region", fallback: "code" });
  }

  number(value) {
    return this._number.format(value);
  }

  /** An amount in ten-thousandths, in full or at so many decimals. */
  money(amount, currency, decimals = 4) {
    const key = `${currency} ${decimals}`;
    let format = this._money.get(key);
    if (!format) this._money.set(key, (format = this._moneyFormat(currency, decimals)));
    return format.format(amount / 10_000);
  }

  _moneyFormat(currency, decimals) {
    const digits = { minimumFractionDigits: decimals, maximumFractionDigits: decimals };
    try {
      return new Intl.NumberFormat(this._locale, {
        style: "currency", currency, currencyDisplay: "narrowSymbol", ...digits,
      });
    } catch {
      return new Intl.NumberFormat(this._locale, digits); // no currency that anybody knows
    }
  }

  /** 1:02 or 1:02:03. */
  duration(seconds) {
    const whole = Math.max(Math.floor(seconds), 0);
    const two = (value) => String(value).padStart(2, "0");
    const [hours, minutes] = [Math.floor(whole / 3_600), Math.floor(whole / 60) % 60];
    return hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
  }

  clock(us) {
    return this._clock.format(us / 1_000);
  }

  minute(us) {
    return this._minute.format(us / 1_000);
  }

  moment(us) {
    return this._moment.format(us / 1_000);
  }

  day(us) {
    return this._day.format(us / 1_000);
  }

  /** A date without a time, as the API writes it. */
  date(text) {
    return this._date.format(Date.parse(text));
  }

  list(texts) {
    return this._list.format(texts);
  }

  country(code) {
    return /^[A-Z]{2}$/.test(code) ? this._countries.of(code) : code;
  }
}
